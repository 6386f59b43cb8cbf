"""Fill the platform's database with the rows of many organizations, by SQL."""

from __future__ import annotations

from typing import Final
from uuid import UUID

import asyncpg

# Per organization: 2 brands, 200 products with a picture each, 5 subjects, 2 styles, 5 shootings
# of 5 looks of 2 shots, 2 generations of 5 predictions a shot.
PRODUCTS: Final = 200
PREDICTIONS: Final = 500

_SHA: Final = "md5(random()::text) || md5(random()::text)"
_STATEMENTS: Final = (
    """CREATE TEMP TABLE tenants AS
    SELECT gen_random_uuid() AS id, number FROM generate_series(1, $1::int) AS number""",
    "INSERT INTO organizations (id, name, slug) SELECT id, 'Tenant ' || number, 'tenant-' || number"
    " FROM tenants",
    """INSERT INTO brands (id, organization_id, name)
    SELECT gen_random_uuid(), id, 'Brand ' || k FROM tenants, generate_series(1, 2) AS k""",
    """INSERT INTO subjects (id, organization_id, name, gender)
    SELECT gen_random_uuid(), id, 'Subject ' || k, 'female' FROM tenants, generate_series(1, 5) AS k
    """,
    """INSERT INTO styles (id, organization_id, name)
    SELECT gen_random_uuid(), id, 'Style ' || k FROM tenants, generate_series(1, 2) AS k""",
    f"""CREATE TEMP TABLE articles AS
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS media_id, tenants.id AS organization_id, k,
        (SELECT id FROM brands WHERE organization_id = tenants.id LIMIT 1) AS brand_id,
        {_SHA} AS sha256
    FROM tenants, generate_series(1, {PRODUCTS}) AS k""",
    """INSERT INTO products
        (id, organization_id, brand_id, name, sku, category, color, description)
    SELECT id, organization_id, brand_id, 'Product ' || k, 'SKU-' || k,
        (ARRAY['dresses', 'jeans', 'coats', 'shirts'])[1 + k % 4],
        (ARRAY['red', 'blue', 'green'])[1 + k % 3], 'Article number ' || k || ' of the collection'
    FROM articles""",
    """INSERT INTO media (id, organization_id, sha256, path, thumbnail_path, content_type, width,
        height, size, dominant_color)
    SELECT media_id, organization_id, sha256, 'media/' || media_id || '/file.jpg',
        'media/' || media_id || '/thumbnail.webp', 'image/jpeg', 512, 768, 30000, '#c02030'
    FROM articles""",
    """INSERT INTO product_images (id, organization_id, product_id, media_id, type)
    SELECT gen_random_uuid(), organization_id, id, media_id, 'primary' FROM articles""",
    """INSERT INTO shootings (id, organization_id, brand_id, name)
    SELECT gen_random_uuid(), organization_id, id, 'Shooting ' || k
    FROM (SELECT DISTINCT ON (organization_id) organization_id, id FROM brands
        WHERE organization_id IN (SELECT id FROM tenants)) AS one, generate_series(1, 5) AS k""",
    """INSERT INTO looks (id, organization_id, shooting_id, name, main_product_id, subject_id)
    SELECT gen_random_uuid(), shootings.organization_id, shootings.id, 'Look ' || k,
        (SELECT id FROM articles WHERE articles.organization_id = shootings.organization_id
            AND articles.k = look.k LIMIT 1),
        (SELECT id FROM subjects WHERE subjects.organization_id = shootings.organization_id LIMIT 1)
    FROM shootings JOIN tenants ON tenants.id = shootings.organization_id,
        generate_series(1, 5) AS look(k)""",
    """INSERT INTO shots (id, organization_id, shooting_id, look_id, shot_type_id, status)
    SELECT gen_random_uuid(), looks.organization_id, looks.shooting_id, looks.id, kind.id, 'review'
    FROM looks JOIN tenants ON tenants.id = looks.organization_id,
        (SELECT id FROM shot_types WHERE organization_id IS NULL LIMIT 2) AS kind""",
    """INSERT INTO shot_revisions (id, organization_id, shot_id, number, status)
    SELECT gen_random_uuid(), shots.organization_id, shots.id, 1, 'review'
    FROM shots JOIN tenants ON tenants.id = shots.organization_id""",
    """INSERT INTO generations (id, organization_id, shot_id, revision, type, status, model, prompt,
        negative_prompt, seed, num_predictions, recipe, completed_at)
    SELECT gen_random_uuid(), shots.organization_id, shots.id, 1, 'base', 'completed',
        'atelier-tiny', 'a woman wearing product ' || k, '', k, 5, '{"composition": {},
        "config": {}, "product": null, "background": null, "resolution": null,
        "file_format": "jpeg"}', now()
    FROM shots JOIN tenants ON tenants.id = shots.organization_id, generate_series(1, 2) AS k""",
    f"""INSERT INTO predictions (id, organization_id, generation_id, shot_id, index, path,
        content_type, width, height, size, sha256, seed)
    SELECT gen_random_uuid(), generations.organization_id, generations.id, generations.shot_id, k,
        'outputs/' || generations.id || '/' || k || '.jpg', 'image/jpeg', 768, 1152, 90000,
        {_SHA}, k
    FROM generations JOIN tenants ON tenants.id = generations.organization_id,
        generate_series(0, 4) AS k""",
    """UPDATE shots SET current_prediction_id = (SELECT id FROM predictions
        WHERE predictions.shot_id = shots.id LIMIT 1)
    FROM tenants WHERE tenants.id = shots.organization_id""",
)


async def fill(database_url: str, organizations: int) -> UUID:
    """Make the rows; the id of one of the organizations.

    Args:
        database_url: of a database with the platform's schema.
        organizations: how many to add.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET synchronous_commit = off")
        first, *rest = _STATEMENTS
        await connection.execute(first.replace("$1::int", str(int(organizations))))
        await connection.execute("CREATE INDEX ON tenants (id)")
        for statement in rest:
            await connection.execute(statement, timeout=600)
            if statement.startswith("CREATE TEMP TABLE articles"):
                await connection.execute("CREATE INDEX ON articles (organization_id, k)")
        # As autovacuum would have, some minutes later.
        await connection.execute("VACUUM ANALYZE", timeout=600)
        middle = await connection.fetchval(
            "SELECT id FROM tenants WHERE number = $1", max(1, organizations // 2)
        )
    finally:
        await connection.close()
    return UUID(str(middle))
