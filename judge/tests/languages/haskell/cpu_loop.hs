import Data.IORef

main :: IO ()
main = do
  n <- newIORef (0 :: Int)
  let loop = modifyIORef' n (+ 1) >> loop
  loop
