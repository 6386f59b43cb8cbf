"""Typed settings of the whole platform; nothing else reads the environment.

Names without a section are the ones operators know (``DATABASE_URL``, ``API_KEY``); everything else
is ``SARTIQ_<SECTION>_<FIELD>``, for example ``SARTIQ_QUEUE_LEASE_SECONDS=20``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from configs.secrets import DevelopmentSecrets
from configs.sections import DatabaseSettings, HttpSettings, LogSettings, RaySettings, Section

CHECKOUT = Path(__file__).resolve().parent.parent

Environment = Literal["development", "test", "production"]
AttentionBackend = Literal["sdpa", "xformers"]


class SettingsError(ValueError):
    """The environment does not describe a platform that may start; the text says what to set."""


class QueueSettings(Section):
    """Leases, retries and clean-up of the durable task queue."""

    lease_seconds: float = Field(12.0, gt=0)
    heartbeat_seconds: float = Field(3.0, gt=0)
    reap_seconds: float = Field(2.0, gt=0)
    poll_seconds: float = Field(1.0, gt=0)
    progress_seconds: float = Field(0.25, gt=0)
    # Of each image while it is made, for those who watch its task.
    previews: int = Field(4, ge=0)
    # No event from a model for this long and the attempt is given up as hung.
    stall_seconds: float = Field(120.0, gt=0)
    # The longest that one attempt may take in all.
    attempt_seconds: float = Field(1800.0, gt=0)
    drain_seconds: float = Field(20.0, gt=0)

    @model_validator(mode="after")
    def _heartbeat_fits_in_lease(self) -> Self:
        if self.heartbeat_seconds * 2 >= self.lease_seconds:
            raise ValueError("SARTIQ_QUEUE_HEARTBEAT_SECONDS must be under half the lease")
        return self


class EventSettings(Section):
    """Streams of events."""

    # A stream that has nothing to send says so this often; its credentials are checked again then.
    heartbeat_seconds: float = Field(15.0, gt=0)
    # The longest that a stream lasts; its client takes it up again. Serve cuts requests off later.
    stream_seconds: float = Field(900.0, gt=0)
    # Open at once, of one process.
    streams: int = Field(1000, ge=1)
    streams_per_organization: int = Field(250, ge=1)


class WebhookSettings(Section):
    """Deliveries of events to clients' own servers."""

    # How often a delivery is tried, and how long it waits in between: these are nine in 25 hours.
    tries: int = Field(9, ge=1)
    first_delay_seconds: float = Field(10.0, gt=0)
    delay_factor: float = Field(3.5, ge=1)
    # That a receiver has to answer.
    timeout_seconds: float = Field(15.0, gt=0)
    # Under way at once, of one runner.
    concurrency: int = Field(64, ge=1)
    poll_seconds: float = Field(1.0, gt=0)


class FetchSettings(Section):
    """Limits on fetching the URLs that clients name."""

    max_bytes: int = Field(25 * 1024 * 1024, gt=0)
    timeout_seconds: float = Field(20.0, gt=0)
    max_redirects: int = Field(4, ge=0)
    # Host names that may be fetched although they resolve to a private address (a brand's own CDN).
    allowed_private_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    @model_validator(mode="before")
    @classmethod
    def _split_hosts(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(hosts := data.get("allowed_private_hosts"), str):
            names = tuple(name.strip().lower() for name in hosts.split(",") if name.strip())
            return {**data, "allowed_private_hosts": names}
        return data


class MediaSettings(Section):
    """Limits on pictures that come in, and the life of the URLs that go out."""

    max_upload_bytes: int = Field(50 * 1024 * 1024, gt=0)
    max_pixels: int = Field(40_000_000, gt=0)
    min_side: int = Field(16, gt=0)
    # The largest picture that an operation may make.
    max_output_pixels: int = Field(64_000_000, gt=0)
    url_seconds: int = Field(24 * 3600, gt=0)


class DatasetSettings(Section):
    """Limits on archives of pictures to train from."""

    max_bytes: int = Field(300 * 1024 * 1024, gt=0)
    # Of all files in it together, unpacked.
    max_unpacked_bytes: int = Field(600 * 1024 * 1024, gt=0)
    # Unpacked over packed bytes, of one file and of all: pictures are compressed already.
    max_ratio: float = Field(50.0, gt=1)
    min_images: int = Field(4, ge=1)
    max_images: int = Field(200, ge=1)
    # The longest that fetching one from a URL may take.
    fetch_seconds: float = Field(90.0, gt=0)


class TrainingSettings(Section):
    """How long trainings may take."""

    # The longest that one attempt may take in all.
    attempt_seconds: float = Field(24 * 3600.0, gt=0)
    # No event from a run for this long and the attempt is given up as hung. Loading a large model
    # for the first time downloads it.
    stall_seconds: float = Field(1800.0, gt=0)


class ModelSettings(Section):
    """Which models this installation runs, and how."""

    default: str = "atelier-tiny"
    # Extra folder of catalog entries beside the ones that ship.
    catalog: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    attention: AttentionBackend = "sdpa"
    # 0: let torch choose.
    threads: int = Field(0, ge=0)
    # Of LoRAs that each replica of the generation models keeps in memory,
    adapter_bytes: int = Field(1024**3, gt=0)
    # and each runner in Ray's object store, which is small on one machine.
    shared_adapter_bytes: int = Field(256 * 1024**2, gt=0)
    # Of one uploaded LoRA.
    max_adapter_bytes: int = Field(500 * 1024**2, gt=0)
    upscaler: str = "realesr-animevideov3"
    # Path of another ONNX segmentation model for background removal; unset: the bundled u2netp.
    background_onnx: Path | None = None


class AccountSettings(Section):
    """Logins and what they are good for."""

    access_token_seconds: int = Field(3600, gt=0)
    refresh_token_days: int = Field(30, gt=0)
    password_reset_minutes: int = Field(60, gt=0)
    # Refused logins within the window, from which on further ones wait.
    failure_window_minutes: int = Field(15, gt=0)
    failures_per_account: int = Field(10, gt=0)
    failures_per_address: int = Field(50, gt=0)


class MailSettings(Section):
    """The SMTP server that mail goes through; without one it is only written to the log."""

    host: str | None = None
    port: int = Field(587, ge=1, le=65535)
    starttls: bool = True
    username: str | None = None
    password: SecretStr = SecretStr("")
    sender: str = "Sartiq <no-reply@sartiq.local>"
    timeout_seconds: float = Field(20.0, gt=0)


class StudioSettings(Section):
    """How the studio treats its organizations."""

    # Tier in `configs/plans.yaml` of organizations that nobody gave another.
    default_tier: str = "starter"
    # Whether a language model captions products that come with a picture and without a caption, if
    # one of its providers has a key.
    captions: bool = True


class LimitSettings(Section):
    """Limits of the Compute API beside those of the plans."""

    # Whether requests are counted; tasks always are.
    requests: bool = True
    # Tier of the organization of `API_KEY`, whatever its subscription says. Unset: `internal`
    # outside production, and in production that of its subscription, as everybody's.
    platform_tier: str | None = None
    # Tasks that may wait in one queue: of one organization, and of all together.
    pending_per_organization: int = Field(5_000, gt=0)
    pending: int = Field(200_000, gt=0)


class ProviderSettings(Section):
    """How a hosted provider is used; whether it is, its key says (``FAL_KEY``,
    ``ANTHROPIC_API_KEY``, ``GEMINI_API_KEY``)."""

    # Another server that speaks the provider's protocol; unset: the provider's own. Of fal, whose
    # client always speaks TLS, only host and port count.
    base_url: str | None = None
    # Units of work (images, or calls about text) that all runners have there at once.
    slots: int = Field(32, ge=1)
    # The longest that one request may take, an upload of pictures included,
    request_seconds: float = Field(60.0, gt=0)
    # and all of a call, its wait in the provider's queue included. Trainings have limits of their
    # own: `SARTIQ_TRAINING_ATTEMPT_SECONDS`.
    call_seconds: float = Field(900.0, gt=0)
    # Failures in a row after which nothing is sent to it for a while, and for how long at first.
    breaker_failures: int = Field(5, ge=1)
    breaker_seconds: float = Field(30.0, gt=0)


class Settings(BaseSettings):
    """Everything that may differ from one installation to the next."""

    model_config = SettingsConfigDict(
        env_prefix="SARTIQ_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    environment: Environment = "development"
    home: Path = CHECKOUT / ".sartiq"

    database_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("DATABASE_URL", "database_url")
    )
    storage_url: SecretStr | None = Field(
        None, validation_alias=AliasChoices("STORAGE_URL", "storage_url")
    )
    api_key: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("API_KEY", "api_key"))
    first_superuser_email: str = Field(
        "admin@sartiq.local",
        validation_alias=AliasChoices("FIRST_SUPERUSER_EMAIL", "first_superuser_email"),
    )
    first_superuser_password: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("FIRST_SUPERUSER_PASSWORD", "first_superuser_password"),
    )
    # Keys of hosted providers; one without its key is absent.
    fal_key: SecretStr | None = Field(None, validation_alias=AliasChoices("FAL_KEY", "fal_key"))
    anthropic_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("ANTHROPIC_API_KEY", "anthropic_api_key")
    )
    gemini_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("GEMINI_API_KEY", "gemini_api_key")
    )
    # Signs storage URLs and access tokens.
    secret_key: SecretStr = SecretStr("")

    log: LogSettings = LogSettings()
    # Base URL of a collector of traces (OTLP over HTTP); unset: no traces.
    otel_exporter_otlp_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otel_exporter_otlp_endpoint"),
    )

    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    queue: QueueSettings = QueueSettings()
    events: EventSettings = EventSettings()
    webhooks: WebhookSettings = WebhookSettings()
    fetch: FetchSettings = FetchSettings()
    media: MediaSettings = MediaSettings()
    datasets: DatasetSettings = DatasetSettings()
    training: TrainingSettings = TrainingSettings()
    models: ModelSettings = ModelSettings()
    accounts: AccountSettings = AccountSettings()
    mail: MailSettings = MailSettings()
    studio: StudioSettings = StudioSettings()
    limits: LimitSettings = LimitSettings()
    ray: RaySettings = RaySettings()
    fal: ProviderSettings = ProviderSettings()
    claude: ProviderSettings = ProviderSettings()
    gemini: ProviderSettings = ProviderSettings()

    @field_validator("fal_key", "anthropic_api_key", "gemini_api_key")
    @classmethod
    def _empty_is_absent(cls, key: SecretStr | None) -> SecretStr | None:
        return key if key is not None and key.get_secret_value().strip() else None

    @model_validator(mode="after")
    def _fill_or_refuse_secrets(self) -> Self:
        missing = [name for name in DevelopmentSecrets.names() if not self._secret(name)]
        if not missing:
            return self
        if self.environment == "production":
            raise SettingsError(
                f"in production these must be set: {', '.join(_env_name(name) for name in missing)}"
            )
        kept = DevelopmentSecrets.load_or_create(self.home)
        for name in missing:
            # The model is frozen to its users; this is still its construction.
            object.__setattr__(self, name, SecretStr(getattr(kept, name)))
        return self

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if self.environment != "production":
            return self
        absent = [n for n in ("database_url", "storage_url") if getattr(self, n) is None]
        if absent:
            raise SettingsError(
                f"in production these must be set: {', '.join(_env_name(n) for n in absent)}"
            )
        weak = [n for n in DevelopmentSecrets.names() if len(self._secret(n)) < 12]
        if weak:
            raise SettingsError(
                f"too short for production (12 characters): {', '.join(map(_env_name, weak))}"
            )
        return self

    def _secret(self, name: str) -> str:
        value: SecretStr = getattr(self, name)
        return value.get_secret_value()

    @property
    def platform_tier(self) -> str | None:
        """Tier of the platform's own organization; None: as its subscription says."""
        if self.limits.platform_tier is not None or self.environment == "production":
            return self.limits.platform_tier
        return "internal"

    @property
    def log_format(self) -> Literal["json", "text"]:
        """Of the log's lines."""
        return self.log.format or ("text" if self.environment == "development" else "json")

    @property
    def resolved_storage_url(self) -> str:
        """``STORAGE_URL``, or the local folder under ``SARTIQ_HOME``."""
        if self.storage_url is not None:
            return self.storage_url.get_secret_value()
        return (self.home / "storage").resolve().as_uri()


def _env_name(field: str) -> str:
    return "SARTIQ_SECRET_KEY" if field == "secret_key" else field.upper()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingsError: (as a ``pydantic.ValidationError``) when the environment is incomplete.
    """
    return Settings()
