<?php
require "greet.php";
echo greet(trim(fgets(STDIN)));
