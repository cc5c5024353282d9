# Good manners are not part of the protocol. The interactor ends first, with a rejection; that the
# program then dies of an unexpected end of input changes nothing.
n = int(input())
print("Hello! Is 1 the summit?", flush=True)
input()
print("! 1")
