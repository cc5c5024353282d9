from lib.greet import greet

print(greet(input()))
