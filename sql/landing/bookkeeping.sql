-- Two empty tables beside the landing tables. Grain of files: one delivered file. Grain of rejects: one rejected row.
-- n_rows_stored differs from n_rows_kept where a wide file was made long, or a panel gave its areas once.
-- No inputs. A reject says where and why, never what was in the cell.
create table landing.files (
    table_name varchar not null,
    file varchar not null,
    sha256 varchar not null,
    n_bytes bigint not null,
    n_rows_read bigint not null,
    n_rows_kept bigint not null,
    n_rejected bigint not null,
    n_rows_stored bigint not null
);

create table landing.rejects (
    file varchar not null,
    table_name varchar not null,
    row_number bigint not null,
    column_name varchar,
    reason varchar not null
);
