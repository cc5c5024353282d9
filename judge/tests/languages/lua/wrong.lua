print("Goodbye!")
