(defvar *kept* nil)
(loop (push (make-array 131072 :initial-element (random 9)) *kept*))
