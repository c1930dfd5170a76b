-- Grain: one number. Areas delivered with a start.
-- Inputs: landing.areas.
select count(distinct area_id)::bigint as n_reached
from landing.areas
where adopted_on is not null or adopted_period is not null
