# Guesses the middle without a question.
print("!", (int(input()) + 1) // 2)
