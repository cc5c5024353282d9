defmodule Main do
  def hello(
end
