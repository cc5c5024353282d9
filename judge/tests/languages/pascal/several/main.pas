uses
  greet;
var
  name: string;
begin
  readln(name);
  say(name);
end.
