"""A request that ends early: what the caller is told, and what the ledger says."""

from __future__ import annotations


class Refusal(Exception):
    """Raised to end a request with an error in OpenAI's form.

    `code` is for programs; `message` is for the caller alone. `detail` goes into the ledger (the code when it is empty), so
    neither ever holds what a user wrote. `action` and `cause` are those of `Decided`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        cause: str,
        detail: str = "",
        action: str = "refuse",
        rule: str | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.cause, self.detail, self.action, self.rule = cause, detail or code, action, rule
        self.param, self.retry_after_s = param, retry_after_s
