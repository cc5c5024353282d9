puts "Goodbye!"
