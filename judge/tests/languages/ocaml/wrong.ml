let () = print_endline "Goodbye!"
