def hello(
end
