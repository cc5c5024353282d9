<?php
echo "Goodbye!\n";
