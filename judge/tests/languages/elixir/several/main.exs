Code.require_file("greet.exs", __DIR__)

IO.gets("") |> String.trim() |> Greet.greet() |> IO.puts()
