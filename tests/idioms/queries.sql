-- name: group by all
select label, good, count(*) as n, sum(price) as s from shop.visits group by all
-- name: stars without some, and with others
select * exclude (doc, tags, raw, moment) replace (price * 2 as price) from shop.visits
-- name: names of columns in other clauses
select id, visits * 2 as twice, twice + 1 as more from shop.visits where twice > 5
-- name: the first of each group
select id, label from shop.visits qualify row_number() over (partition by good order by seen desc nulls last, id) = 1
-- name: distinct on
select distinct on (label) label, id from shop.visits order by label, price desc nulls last, id
-- name: distinct, ordered by a text
select distinct label from shop.visits order by label
-- name: NULLs come last
select id, rank() over (order by visits desc) as a, lag(visits, 1, -1) over (order by id) as b,
  sum(visits) over (order by id rows between 1 preceding and current row) as c from shop.visits
-- name: joins
select a.id, b.label from shop.visits a left join shop.visits b on b.id = a.visits
-- name: joins by name
select id, count(*) as n from shop.visits a join shop.visits b using (id) group by id
-- name: what is not there
select id from shop.visits a where not exists (select 1 from shop.visits b where b.visits = a.id)
-- name: rows of both
(select label from shop.visits where id < 4) union (select label from shop.visits where id > 3) order by label
-- name: rows of one only
select label, good from shop.visits except select label, good from shop.visits where id > 4
-- name: names with capitals
select id as "Order Id", label as LabelText from shop.visits
-- name: totals of totals
select label, good, sum(visits) as n, grouping(label) as g from shop.visits group by rollup (label, good)
-- name: rows that are written out
with v(k, word) as (values (1, 'one'), (2, 'two')) select id, word from shop.visits join v on v.k = id
-- name: any of several
select id, label in ('a', 'b') as a, visits in (7, null) as b, visits is distinct from id as c, label is not null as d from shop.visits
-- name: a window with a name
select id, sum(visits) over w as a, count(*) over w as b from shop.visits window w as (partition by good order by id)
-- name: rows in a row
-- not on: postgres
-- not on: spark
select id from shop.visits where (label, good) in (('apple', true), ('b', null))
-- name: functions that nobody has tried
-- not on: postgres
-- not on: spark
select histogram(visits) as a, mode(label) as b from shop.visits
-- name: samples are other rows on each engine
-- not on: postgres
-- not on: spark
select id from shop.visits using sample 50%
-- name: columns without a name
-- not on: spark
select count(*), max(label) from shop.visits
-- name: rows that are counted by themselves
-- not on: spark
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select i from n
-- name: values before are not left out
-- not on: postgres
select id, lag(visits ignore nulls) over (order by id) as a from shop.visits
-- name: groups around a row
-- not on: spark
select id, sum(visits) over (order by id rows between 1 preceding and 1 following exclude current row) as a from shop.visits
