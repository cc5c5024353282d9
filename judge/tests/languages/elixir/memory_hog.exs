defmodule Main do
  def hog(kept), do: hog([Enum.to_list(1..100_000) | kept])
end

Main.hog([])
