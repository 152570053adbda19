-- name: division gives a double
select id, visits / 7 as a, price / 3 as b, price / share as c, 7 / 2 as d from shop.visits where share <> 0 and id <> 5
-- name: the rest and the whole of a division are NULL for 0
select id, visits % (id - 3) as a, visits // (id - 3) as b, price % 7 as c from shop.visits
-- name: casts round, doubles to the even neighbour and decimals away from 0
select id, cast(price as integer) as a, cast(share as bigint) as b, cast(price as decimal(10, 1)) as c,
  cast('12.345' as decimal(9, 2)) as d, cast(good as integer) as e, cast(visits as boolean) as f from shop.visits where id <> 5
-- name: doubles become decimals by their own digits
select id, cast(share as decimal(18, 1)) as a, cast(share / 7 as decimal(18, 3)) as b, cast(id / 200 as decimal(9, 2)) as c
from shop.visits
-- name: rounding goes away from 0
select id, round(share) as a, round(share, 1) as b, round(price, 1) as c, round(price) as d, round(visits, -1) as e from shop.visits
-- name: signs, roots and logarithms
select id, abs(share) as a, sign(price) as b, ceil(share) as c, floor(price) as d, trunc(share) as e, sqrt(id) as f,
  ln(id) as g, log(id) as h, log2(id) as i, log10(id) as j, id ** 2 as k, exp(id / 10) as l from shop.visits
-- name: means and totals
select label, avg(price) as a, avg(visits) as b, sum(price) as c, sum(good) as d, count_if(good) as e, stddev(share) as f,
  var_samp(visits) as g, bool_and(good) as h, bool_or(good) as i, median(share) as j, quantile_cont(visits, 0.25) as k
from shop.visits where id <> 5 group by all
-- name: numbers that are not numbers
with q as (select id, case when id = 1 then 'nan'::double when id = 2 then 'inf'::double else share end as v from shop.visits)
select id, isnan(v) as a, v > 1e300 as b from q
-- name: the greatest of several leaves NULL out
select id, greatest(visits, id, null) as a, least(price, 2.5) as b, coalesce(visits, -1) as c, nullif(id, 3) as d from shop.visits
-- name: a series of numbers
select n, n * n as square from generate_series(2, 6, 2) as numbers(n)
-- name: a range leaves out its end
select n from range(0, 10, 4) as numbers(n)
