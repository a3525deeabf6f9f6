"""What may leave the department: profiles, small counts suppressed and the others rounded, what could be subtracted held back."""

from d2tra.disclosure.primary import SUPPRESSED, Profile, disclose, load_profile

__all__ = ["SUPPRESSED", "Profile", "disclose", "load_profile"]
