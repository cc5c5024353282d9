begin
  writeln('Goodbye!');
end.
