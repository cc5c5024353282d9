let () = print_endline (Words.greet (read_line ()))
