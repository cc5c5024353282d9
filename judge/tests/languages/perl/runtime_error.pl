die "no reason";
