<?php
function greet($name) {
    return "Hello, $name!\n";
}
