with recursive loop(n) as (select 0 union all select n + 1 from loop)
select count(*) from loop;
