main :: IO ()
main = do
  let numbers = [1 ..] :: [Integer]
  print (sum numbers)
  print (length numbers)
