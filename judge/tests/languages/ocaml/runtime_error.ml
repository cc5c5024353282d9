let () = print_endline (List.hd [])
