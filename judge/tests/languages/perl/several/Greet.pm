package Greet;

use strict;
use warnings;

sub greet {
    my ($name) = @_;
    return "Hello, $name!\n";
}

1;
