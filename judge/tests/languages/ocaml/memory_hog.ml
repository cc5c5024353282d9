let rec hog kept = hog (Bytes.make 1048576 'x' :: kept)

let () = hog []
