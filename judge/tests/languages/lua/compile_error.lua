local function hello(
