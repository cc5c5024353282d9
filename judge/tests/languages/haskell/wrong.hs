main :: IO ()
main = putStrLn "Goodbye!"
