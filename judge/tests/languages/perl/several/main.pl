use Greet;

chomp(my $name = <STDIN>);
print Greet::greet($name);
