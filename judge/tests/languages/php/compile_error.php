<?php
echo "no end
