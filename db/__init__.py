"""Everything that knows SQLAlchemy and Postgres: sessions, models, repositories, migrations."""
