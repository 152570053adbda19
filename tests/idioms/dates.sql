-- name: borders between two dates
select id, date_diff('month', opened, day) as months, date_diff('year', opened, day) as years,
  date_diff('quarter', opened, day) as quarters, date_diff('week', opened, day) as weeks,
  date_diff('day', opened, day) as days from shop.visits
-- name: borders between two times, before 1970 too
select id, date_diff('hour', seen, timestamp '1969-12-31 23:30:00') as hours,
  date_diff('minute', seen, timestamp '1970-01-01 00:00:30') as minutes,
  date_diff('second', seen, timestamp '2024-05-05 10:00:00.25') as seconds from shop.visits
-- name: the beginning of a month has no zone
select id, date_trunc('month', day) as a, date_trunc('week', day) as b, date_trunc('hour', seen) as c,
  date_trunc('quarter', seen) as d, date_trunc('day', moment) as e from shop.visits
-- name: parts of a time
select id, extract(dow from day) as a, isodow(day) as b, weekday(day) as c, week(day) as d, dayofyear(day) as e,
  extract(isoyear from day) as f, extract(second from seen) as g, extract(millisecond from seen) as h,
  date_part('quarter', seen) as i, epoch(seen) as j, epoch_ms(seen) as k, hour(seen) as l, minute(seen) as m from shop.visits
-- name: days are added to dates, and intervals make times of them
select id, day + 1 as a, day - 30 as b, day - opened as c, day + interval 1 month as d, seen - interval '2' hour as e,
  seen + interval 3 weeks as f from shop.visits
-- name: times are printed by directives
select id, strftime(seen, '%Y-%m-%d %H:%M:%S') as a, strftime(day, '%d. %b %Y, %A') as b, strftime(seen, '%j|%I %p') as c,
  strftime(seen, 'week %V of %G') as d, strftime(seen, '%-d/%-m') as e, strftime(seen, '%f') as f from shop.visits
-- name: times are read by directives
select id, strptime(strftime(seen, '%d/%m/%Y %H:%M'), '%d/%m/%Y %H:%M') as a, strptime('20240131', '%Y%m%d') as b
from shop.visits where id < 4
-- name: a moment is a local time in a zone, and the other way round
select id, moment at time zone 'Europe/Berlin' as a, seen at time zone 'America/New_York' as b from shop.visits
-- name: names and last days
select id, dayname(day) as a, monthname(day) as b, last_day(day) as c, make_date(2024, 2, id + 1) as d from shop.visits where id < 20
-- name: buckets of time
select id, time_bucket(interval '15 minutes', seen) as a, time_bucket(interval '1 week', seen) as b,
  time_bucket(interval '3 months', seen) as c from shop.visits
-- name: series of days
select cast(d as date) as day from generate_series(date '2024-02-27', date '2024-03-02', interval 1 day) as days(d)
