import Greet

main :: IO ()
main = getLine >>= putStrLn . greet
