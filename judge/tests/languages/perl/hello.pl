use strict;

chomp(my $name = <STDIN>);
print "Hello, $name!\n";
