-- Grain: one distinct delivered id of one kind, with the pseudonym that the vault keeps instead.
-- Inputs: {ids}, a query of the column id and of place, by which ids of one sort go before those of another; $salt;
-- session variables pseudonym_inner and pseudonym_outer, the padded keys of HMAC-SHA-256 (https://doi.org/10.17487/RFC2104).
-- A pseudonym is a number, by which rows sort in an order that no key changes, and sixteen digits of the keyed hash.
-- The number comes from a hash without a key, salted per programme: it says nothing of the order of delivery.
select
    id,
    lpad((row_number() over (order by place, sha256($salt || id), id))::varchar, 9, '0')
    || '-'
    || left(
        sha256(getvariable('pseudonym_outer') || unhex(sha256(getvariable('pseudonym_inner') || encode(id)))), 16
    ) as pseudonym
from ({ids})
