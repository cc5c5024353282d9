var
  n: integer;
begin
  n := 0;
  writeln(1 div n);
end.
