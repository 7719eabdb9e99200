"""`python -m sharegate`."""

from sharegate.cli import main

if __name__ == "__main__":
    main()
