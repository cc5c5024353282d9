require_relative "greet"

puts greet(gets.chomp)
