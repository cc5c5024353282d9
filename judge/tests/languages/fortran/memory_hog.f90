program memory_hog
  implicit none
  type block
    integer :: words(262144)
    type(block), pointer :: next
  end type
  type(block), pointer :: kept, fresh
  nullify (kept)
  do
    allocate (fresh)
    fresh%words = 1
    fresh%next => kept
    kept => fresh
  end do
end program
