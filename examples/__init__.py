"""Small programs that use Coverslip as anybody would."""
