create table kept(block blob);
with recursive hog(n) as (select 0 union all select n + 1 from hog)
insert into kept select randomblob(1048576) from hog;
