-- name: lists in the order of the rows
select good, list(visits order by id) as a, list(label order by label desc, id) as b from shop.visits group by good
-- name: no rows make no list
select list(visits) as a, string_agg(label, ',') as b, sum(visits) as c, count(*) as d from shop.visits where id < 0
-- name: items by their place
select id, string_split(tags, ',')[1] as a, string_split(tags, ',')[-1] as b, string_split(tags, ',')[9] as c,
  len(string_split(tags, ',')) as d, list_contains(string_split(tags, ','), 'q') as e, string_split(tags, ',')[2:3] as f from shop.visits
-- name: items one by one
select id, list_transform([1, 2, id], n -> n * 10) as a, list_filter([1, 2, id], n -> n > 1) as b, list_sort([3, 1, id]) as c,
  list_concat([1], [id]) as d, list_sum([1, 2, id]) as e, list_has_any([1, 2], [id]) as f, array_to_string([label, tags], '-') as g
from shop.visits
-- name: rows of a list
select id, unnest(string_split(tags, ',')) as tag from shop.visits
-- name: the row of the largest
select good, arg_max(id, price) as a, arg_min(label, id) as b, max_by(label, id) as c from shop.visits group by good
-- name: fields of a document
select id, doc ->> '$.a' as a, doc ->> 'a' as b, (doc -> 'b') ->> 'c' as c, json_extract_string(doc, '$.b') as d
from shop.visits
-- name: items of a document
-- not on: spark
select id, json_extract_string(doc, '$.list[1]') as a, json_array_length(doc, '$.list') as b from shop.visits
-- name: fields of a row
select id, (struct_pack(a := visits, b := label)).b as b from shop.visits
-- name: the first of a group in an order
select good, first(label order by price desc) as a, last(visits order by id) as b from shop.visits group by good
-- name: a struct of several rows
-- not on: postgres
with q as (select id, {'a': visits, 'b': label} as pair from shop.visits) select id, pair.a as a, pair['b'] as b from q
