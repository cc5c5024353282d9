raise "no reason"
