unit greet;

interface

procedure say(name: string);

implementation

procedure say(name: string);
begin
  writeln('Hello, ', name, '!');
end;

end.
