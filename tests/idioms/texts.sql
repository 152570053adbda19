-- name: places count from 1, and from the end
select id, substring(label, 0, 3) as a, substring(label, 2, 2) as b, substring(label, -3, 2) as c, left(label, -1) as d,
  right(label, -2) as e, left(label, 2) as f, right(label, 2) as g, substring(label, id - 4, 3) as h from shop.visits
-- name: texts are ordered by code point
select min(label) as a, max(label) as b, min(label) filter (where good) as c from shop.visits
-- name: the first texts by code point
select label from shop.visits order by label limit 4
-- name: texts are compared by code point
select id, label < 'a' as a, label between 'A' and 'b' as b, greatest(label, 'Z') as c,
  row_number() over (order by label, id) as d, max(label) over (order by id) as e from shop.visits
-- name: parts put together
select id, label || visits as a, concat(label, '-', good, '-', price, null) as b, concat_ws('/', label, visits, null) as c from shop.visits
-- name: texts of a group
select good, string_agg(label, ', ' order by label desc, id) as a, count(distinct label) as b from shop.visits group by good
-- name: each text of a group once
select string_agg(distinct label, '|' order by label) as a from shop.visits
-- name: searches
select id, starts_with(label, 'a') as a, contains(label, 'e') as b, ends_with(label, 'x') as c, strpos(label, 'e') as d,
  label like 'a%' as e, label not like '%e%' as f, label ilike 'A%' as g, label not ilike '%X' as h from shop.visits
-- name: letters
select id, upper(label) as a, lower(label) as b, length(label) as c, trim('  ' || label || ' ') as d, ltrim(label, 'ab') as e,
  replace(label, 'e', '_') as f, lpad(label, 4, '*') as g, rpad(label, 2, '.') as h, repeat(label, 2) as i, reverse(label) as j,
  md5(label) as k, sha256(label) as l, ascii(label) as m, chr(64 + id) as n, translate(label, 'ae', 'xy') as o,
  split_part(tags, ',', 2) as p, split_part(tags, ',', -1) as q from shop.visits
-- name: patterns replace once, or all
select id, regexp_replace(label, 'e', 'X') as a, regexp_replace(tags, '[a-z]', '#', 'g') as b,
  regexp_replace(tags, '([a-z]),([a-z])', '\2+\1') as c, regexp_matches(tags, '^\w,') as d from shop.visits
-- name: patterns take out
select id, regexp_extract(tags, '([a-z]),([a-z])', 2) as a, regexp_extract(label, '\d+') as b,
  label similar to '[a-z]+' as c, regexp_extract_all(tags, '[a-z]') as d from shop.visits
-- name: texts that may be something else
select id, try_cast(raw as date) as b, try_cast(raw as double) as c,
  try_cast(raw as timestamp) as d, try_cast(raw as boolean) as e from shop.visits
-- name: texts that may be whole numbers
-- not on: spark
select id, try_cast(raw as integer) as a, try_cast(raw as decimal(8, 2)) as b from shop.visits
