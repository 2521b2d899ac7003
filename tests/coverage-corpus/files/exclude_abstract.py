import abc


class Base(abc.ABC):
    @abc.abstractmethod
    def method(self):  # pragma: no cover
        raise NotImplementedError

    @abc.abstractmethod
    def other(self):
        """Documented only."""


class Real(Base):
    def method(self):
        return 1

    def other(self):
        return 2


Real().method()
