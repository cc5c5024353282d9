IO.puts("Goodbye!")
